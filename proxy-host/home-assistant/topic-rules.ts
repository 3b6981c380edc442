import { parseDiscoveryTopic } from './discovery-topic.ts';
import { ConfigFault, quoted } from './rejection.ts';

/** Far beyond any topic in use; MQTT itself allows 65,535 bytes. */
const MAX_TOPIC_CHARACTERS = 1_024;

/**
 * Checks a topic that a device names. None may have wildcards (a device would see or reach its neighbours) or lie among
 * the discovery topics; one that we publish to must not be the broker's own (`$...`) nor the status topic either.
 */
export function checkTopic(topic: string, use: 'state' | 'command', key: string, prefix: string): string {
  const refuse = (expected: string): never => {
    throw new ConfigFault('invalid-topic', `${key}: expected ${expected}, came ${quoted(topic)}`);
  };
  if (topic === '') refuse('a topic');
  if (topic.length > MAX_TOPIC_CHARACTERS) refuse(`a topic of at most ${MAX_TOPIC_CHARACTERS} characters`);
  if (topic.includes('\0') || !topic.isWellFormed()) refuse('a topic of valid characters');
  if (/[+#]/.test(topic)) refuse('a topic without wildcards');
  if (parseDiscoveryTopic(prefix, topic) !== undefined) refuse('a topic outside of the discovery topics');
  if (use === 'command') {
    if (topic.startsWith('$')) refuse("a topic that is not the broker's own");
    if (topic === `${prefix}/status`) refuse("a topic other than the controller's status");
  }
  return topic;
}
