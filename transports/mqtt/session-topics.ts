/** Topic on which the listener `id` is greeted. */
export function greetingTopic(prefix: string, id: string): string {
  return `${prefix}/${id}/in`;
}

/** The two topics of a session, named after who reads them; the session's id is 16 random bytes as hex. */
export function sessionTopics(prefix: string, sessionId: Uint8Array): { dialler: string; listener: string } {
  const id = sessionText(sessionId);
  return { dialler: `${prefix}/${id}/d`, listener: `${prefix}/${id}/l` };
}

export function sessionText(sessionId: Uint8Array): string {
  return Buffer.from(sessionId).toString('hex');
}
