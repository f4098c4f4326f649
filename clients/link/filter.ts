/** Whether a topic matches a subscription filter with `+` and `#` (MQTT 5, section 4.7). */
export function filterMatches(filter: string, topic: string): boolean {
  const want = filter.split('/');
  const have = topic.split('/');
  // Wildcards do not match topics that start with $ (section 4.7.2).
  if (topic.startsWith('$') && (want[0] === '#' || want[0] === '+')) return false;
  for (const [i, level] of want.entries()) {
    if (level === '#') return true;
    const other = have[i];
    if (other === undefined || (level !== '+' && level !== other)) return false;
  }
  return want.length === have.length;
}
