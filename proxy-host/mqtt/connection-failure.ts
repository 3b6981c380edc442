/** How an attempt to connect, or a connection, ended. */
export interface ConnectionEnd {
  readonly error: Error | undefined;
  /** Of a CONNACK: MQTT 5, section 3.2.2.2, or MQTT 3.1.1, section 3.2.2.3. */
  readonly reasonCode: number | undefined;
  /** The transport was up, so what came after was the broker's doing. */
  readonly opened: boolean;
  /** The broker had accepted the connection. */
  readonly accepted: boolean;
}

const UNSUPPORTED_VERSION = [1, 132];
const WRONG_LOGIN = [4, 5, 134, 135, 140];

export function isWrongLogin({ reasonCode }: ConnectionEnd): boolean {
  return reasonCode !== undefined && WRONG_LOGIN.includes(reasonCode);
}

/** Whether the other protocol version may help: old brokers say so in various ways, or just close. */
export function mayBeWrongVersion(end: ConnectionEnd): boolean {
  const { opened, accepted, reasonCode } = end;
  return opened && !accepted && (reasonCode === undefined || UNSUPPORTED_VERSION.includes(reasonCode));
}

/** Says what happened and what to do. */
export function describeEnd(
  end: ConnectionEnd,
  to: { host: string | undefined; username: string | undefined },
): string {
  const { error, reasonCode, accepted } = end;
  if (isWrongLogin(end)) {
    const who = to.username === undefined ? 'a client without a user name' : `user ${JSON.stringify(to.username)}`;
    return `the broker refused ${who}: check the user name and the password (${error?.message ?? reasonCode})`;
  }
  if (error === undefined) {
    return accepted ? 'the broker closed the connection' : 'the broker closed the connection at once';
  }
  const { code } = error as NodeJS.ErrnoException; // absent where it is no error of Node
  switch (code) {
    case 'ECONNREFUSED':
      return 'nothing listens there: is the broker running, and is the port right?';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${to.host ?? ''} cannot be resolved: check the host name`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return `the broker's certificate is not signed by a known authority (${code}): give its CA file`;
    default:
      return error.message === '' ? (code ?? error.name) : error.message;
  }
}
