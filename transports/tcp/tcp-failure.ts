import { type EndpointAddress, type ErrorCode, PipevineError } from '@pipevine/runtime';

/** What the operating system said about a dial, as an error that says what to do. */
export function dialFailure(address: EndpointAddress, cause: Error): PipevineError {
  const [code, reason] = dialReason(systemCode(cause));
  return new PipevineError(code, `${address} cannot be reached: ${reason} (${describe(cause)}).`, { cause });
}

/** What the operating system said about listening. */
export function listenFailure(address: EndpointAddress, cause: Error): PipevineError {
  const fail = (code: ErrorCode, text: string): PipevineError => new PipevineError(code, text, { cause });
  switch (systemCode(cause)) {
    case 'EADDRINUSE':
      return fail(
        'address-in-use',
        `${address} is in use by another program. Listen on another port, or on port 0 for any that is free.`,
      );
    case 'EACCES':
    case 'EPERM':
      return fail(
        'permission-denied',
        `This user may not listen on ${address}. Ports below 1024 need a privilege: choose a higher one.`,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EINVAL':
      return fail('invalid-address', `${address} is not an address of this machine (${describe(cause)}).`);
    default:
      return fail('invalid-address', `Listening on ${address} failed (${describe(cause)}).`);
  }
}

/** What ended a connection that was up. */
export function connectionFailure(address: EndpointAddress, cause: Error): PipevineError {
  switch (systemCode(cause)) {
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ECONNABORTED':
      return new PipevineError('closed', `${address} reset the connection. Dial again.`, { cause });
    case 'ETIMEDOUT':
      return new PipevineError('timeout', `${address} does not answer any more. Dial again.`, { cause });
    default:
      return new PipevineError('unreachable', `The connection to ${address} was lost (${describe(cause)}).`, { cause });
  }
}

function dialReason(code: string | undefined): [ErrorCode, string] {
  switch (code) {
    case 'ECONNREFUSED':
      return ['unreachable', 'nobody listens there; check that the peer runs and that the port is right'];
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return ['unreachable', 'the name is not known; check its spelling, or use an IP address'];
    case 'ETIMEDOUT':
      return ['timeout', 'it did not answer; check the address and that no firewall is in between'];
    case 'EACCES':
    case 'EPERM':
      return ['unreachable', 'a firewall of this machine forbids it'];
    default:
      return ['unreachable', 'check the address and the network'];
  }
}

/** The code of the error, or of the first one where several addresses of a name were tried. */
function systemCode(cause: Error): string | undefined {
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return systemCode(cause.errors[0]);
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
}

function describe(cause: Error): string {
  if (cause instanceof AggregateError) return cause.errors.map((error: unknown) => String(error)).join('; ');
  return cause.message;
}
