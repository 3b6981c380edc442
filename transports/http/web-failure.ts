import { type EndpointAddress, type ErrorCode, PipevineError } from '@pipevine/runtime';
import { dialFailure } from '../tcp/tcp-failure.ts';

/** Codes of OpenSSL and Node that mean: the certificate that came is not one to trust for this host. */
const CERTIFICATE_CODES = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_CA)/;
const TLS_CODES = /^(ERR_SSL_|EPROTO$)/;

/** What a proxy said, or something that answered in the place of a peer. */
const SAID_ON_THE_WAY: readonly ErrorCode[] = ['unreachable', 'malformed'];

/** What went wrong on the way to a web server, as an error that says what to do. An error that is one already stays. */
export function webDialFailure(address: EndpointAddress, cause: unknown): PipevineError {
  if (cause instanceof PipevineError) {
    if (!SAID_ON_THE_WAY.includes(cause.code) || cause.message.includes(address)) return cause;
    return new PipevineError('unreachable', `${address} cannot be reached: ${cause.message}`, { cause });
  }
  const error = cause instanceof Error ? cause : new Error(String(cause));
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const unreachable = (reason: string): PipevineError =>
    new PipevineError('unreachable', `${address} cannot be reached: ${reason} (${error.message}).`, { cause });
  if (CERTIFICATE_CODES.test(code)) {
    return unreachable('its certificate is not trusted; check the host name, or name its authority (PEM) for the dial');
  }
  if (TLS_CODES.test(code)) return unreachable('no TLS there; check the scheme and the port');
  if (code.startsWith('HPE_')) return unreachable('what answered is no web server; check the port');
  return dialFailure(address, error);
}

/** A web server, or something on the way that plays one, said no. */
export function statusFailure(address: EndpointAddress, status: number): PipevineError {
  const reason =
    status === 503 || status === 429
      ? 'it has no room for another connection; try later'
      : status === 404 || status === 426
        ? 'a web server answers there, but no Pipevine peer behind it; check the port and the scheme'
        : status === 407
          ? 'the proxy wants a user name and password: write http://user:password@host:port'
          : 'a web server or proxy on the way refused';
  return new PipevineError('unreachable', `${address} cannot be reached: ${reason} (status ${status}).`);
}
