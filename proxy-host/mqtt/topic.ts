/** MQTT 3.1.1, section 4.7: topic names and topic filters. */

export interface TopicLimits {
  readonly maxTopicLevels: number;
  readonly maxTopicBytes: number;
}

const encoder = new TextEncoder();

function commonFault(topic: string, limits: TopicLimits): string | undefined {
  if (topic.length === 0) return 'is empty';
  // UTF-8 takes at least one byte for each UTF-16 unit: the cheap check first, so that a huge one is not encoded.
  if (topic.length > limits.maxTopicBytes || encoder.encode(topic).length > limits.maxTopicBytes) {
    return `is longer than ${limits.maxTopicBytes} bytes`;
  }
  let levels = 1;
  for (let index = 0; index < topic.length; index++) {
    const code = topic.charCodeAt(index);
    if (code === 0x2f) levels++;
    else if (code === 0) return 'contains U+0000';
  }
  return levels > limits.maxTopicLevels ? `has more than ${limits.maxTopicLevels} levels` : undefined;
}

/** Returns what is wrong with a topic name, or undefined. */
export function topicNameFault(topic: string, limits: TopicLimits): string | undefined {
  if (topic.includes('+') || topic.includes('#')) return 'contains a wildcard';
  return commonFault(topic, limits);
}

/** Returns what is wrong with a topic filter, or undefined. */
export function topicFilterFault(filter: string, limits: TopicLimits): string | undefined {
  const fault = commonFault(filter, limits);
  if (fault !== undefined) return fault;
  const levels = filter.split('/');
  for (const [index, level] of levels.entries()) {
    if (level.includes('#') && (level !== '#' || index !== levels.length - 1))
      return 'has a # that is not the last level';
    if (level.includes('+') && level !== '+') return 'has a + beside other characters';
  }
  return undefined;
}

/** Whether a filter matches a topic name. Names that begin with `$` are not matched by a leading wildcard (4.7.2). */
export function topicMatches(filter: string, topic: string): boolean {
  if (filter === topic) return true;
  const filterLevels = filter.split('/');
  const topicLevels = topic.split('/');
  if (topic.startsWith('$') && (filterLevels[0] === '+' || filterLevels[0] === '#')) return false;
  for (const [index, level] of filterLevels.entries()) {
    if (level === '#') return true;
    if (index >= topicLevels.length || (level !== '+' && level !== topicLevels[index])) return false;
  }
  return filterLevels.length === topicLevels.length;
}
