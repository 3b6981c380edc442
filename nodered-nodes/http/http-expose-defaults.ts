/** Connections of one peer, and of all. */
export const MAX_CONNECTIONS_OF_PEER = 64;
export const MAX_CONNECTIONS = 256;

/** Requests under way on one connection; HTTP/1.1 answers them in order, so more only wait. */
export const MAX_PIPELINED = 8;

/** Bytes of a request line with its headers. */
export const MAX_HEADER_BYTES = 16_384;

/** What may come between two requests' beginnings beside the body: headers, and what shares a message with them, in bytes. */
export const HEADER_ROOM_BYTES = 131_072;

/** Largest body by default, and at most, in bytes. Node-RED's own default is 5 MB. */
export const DEFAULT_BODY_BYTES = 5 * 1_048_576;
export const MAX_BODY_BYTES = 256 * 1_048_576;

/** How long a connection waits for a whole head of a request, in ms. */
export const IDLE_TIMEOUT_MS = 65_000;

/** How long a request takes by default and at most, body and answer, in seconds. */
export const DEFAULT_TIMEOUT_SECONDS = 120;
export const MAX_TIMEOUT_SECONDS = 3_600;
