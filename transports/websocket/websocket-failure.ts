import { type EndpointAddress, PipevineError } from '@pipevine/runtime';
import { connectionFailure } from '../tcp/tcp-failure.ts';

/** RFC 6455 section 7.4.1; 1005 stands for a close frame without a status. */
const GOOD_ORDER: readonly number[] = [1000, 1001, 1005];
/** Stands for: the TCP connection ended without a close frame. */
const NO_CLOSE_FRAME = 1006;

/** What `ws` said about a connection that was up. */
export function webSocketFailure(address: EndpointAddress, cause: Error): PipevineError {
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
    return new PipevineError('too-large', `${address} sent a message beyond the limit. The connection is closed.`, {
      cause,
    });
  }
  if (code.startsWith('WS_ERR_')) {
    return new PipevineError('protocol', `${address} broke the WebSocket protocol (${cause.message}).`, { cause });
  }
  return connectionFailure(address, cause);
}

/** What the status of a close says; undefined for one in good order. */
export function closeFailure(address: EndpointAddress, status: number): PipevineError | undefined {
  if (GOOD_ORDER.includes(status)) return undefined;
  if (status === NO_CLOSE_FRAME) {
    return new PipevineError('closed', `${address} ended the connection without saying so. Dial again.`);
  }
  return new PipevineError('closed', `${address} closed the connection with status ${status}. Dial again.`);
}
