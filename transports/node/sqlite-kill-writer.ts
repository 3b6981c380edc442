// Commits without end, and prints the number of each commit once it is acknowledged. Run by the durability test.
import { writeSync } from 'node:fs';
import { openSqliteStorage } from './sqlite-storage.ts';

const storage = openSqliteStorage({ file: process.argv[2] ?? '' });
for (let i = 0; ; i++) {
  const value = new TextEncoder().encode(`value ${i}`);
  await storage.commit([
    { table: 'acknowledged', key: String(i), value },
    { table: 'twin', key: String(i), value },
  ]);
  writeSync(1, `${i}\n`);
}
