import { type ErrorCode, PipevineError } from '@pipevine/runtime';

/** Why a broker could not be used, as an error that says what to do. */
export function brokerFailure(address: string, cause: Error | undefined): PipevineError {
  const [code, why] = reasonOf(cause);
  const detail = cause === undefined ? '' : ` (${describe(cause)})`;
  return new PipevineError(code, `${address} cannot be reached: ${why}${detail}.`, { cause });
}

function reasonOf(cause: Error | undefined): [ErrorCode, string] {
  const code = cause !== undefined && 'code' in cause ? cause.code : undefined;
  switch (code) {
    case 4:
    case 5:
      return ['unreachable', 'the broker refuses the login; give user and password for this broker'];
    case 'ECONNREFUSED':
      return ['unreachable', 'no broker listens there; check that it runs and that the port is right'];
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return ['unreachable', "the broker's name is not known; check its spelling, or use an IP address"];
    case 'ETIMEDOUT':
      return ['unreachable', 'the broker does not answer; check the address and that no firewall is in between'];
    default:
      return [
        'unreachable',
        'the broker did not accept the connection; check the address, the login and the certificate',
      ];
  }
}

function describe(cause: Error): string {
  if (cause instanceof AggregateError) return cause.errors.map((error: unknown) => String(error)).join('; ');
  return cause.message;
}
