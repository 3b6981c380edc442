import type { PipevineError } from '@pipevine/runtime';

/** The reason codes of MQTT 5 (section 2.4) that the broker gives. */
export const REASON = {
  unspecified: 0x80,
  malformed: 0x81,
  protocolError: 0x82,
  unsupportedVersion: 0x84,
  identifierInvalid: 0x85,
  badLogin: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  topicNameInvalid: 0x90,
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
} as const;

/** What an MQTT 5 client is told about a fault of its connection. */
export function reasonOf(fault: PipevineError): number {
  switch (fault.code) {
    case 'malformed':
      return REASON.malformed;
    case 'protocol':
      return REASON.protocolError;
    case 'too-large':
      return REASON.packetTooLarge;
    case 'invalid-argument':
      return REASON.topicNameInvalid;
    case 'unsupported':
      return REASON.badAuthenticationMethod;
    case 'refused':
      return REASON.notAuthorized;
    case 'overloaded':
    case 'storage-full':
    case 'storage-failed':
      return REASON.quotaExceeded;
    case 'closed':
      return REASON.serverShuttingDown;
    default:
      return REASON.unspecified;
  }
}

/** MQTT 3.1.1 CONNACK return code (section 3.2.2.3) as MQTT 5 reason code. */
export function reasonOfReturnCode(returnCode: number): number {
  const reasons = [
    0,
    REASON.unsupportedVersion,
    REASON.identifierInvalid,
    REASON.serverUnavailable,
    REASON.badLogin,
    REASON.notAuthorized,
  ];
  return reasons[returnCode] ?? REASON.unspecified;
}
