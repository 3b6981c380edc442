/** An ar archive (deb(5)): `!<arch>`, then for each member a header of 60 characters and its bytes, at even offsets. */
export function arArchive(members: readonly { name: string; content: Uint8Array }[], timeSeconds: number): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from('!<arch>\n')];
  for (const { name, content } of members) {
    if (name.length > 15) throw new Error(`"${name}" is longer than the 15 characters of an ar member`);
    const fields = [name.padEnd(16), String(timeSeconds).padEnd(12), '0     ', '0     ', '100644  '];
    parts.push(Buffer.from(`${fields.join('')}${String(content.length).padEnd(10)}\`\n`), content);
    if (content.length % 2 === 1) parts.push(Buffer.from('\n'));
  }
  return Buffer.concat(parts);
}
