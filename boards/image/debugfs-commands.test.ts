import { expect, test } from 'vitest';
import { debugfsCommands } from './debugfs-commands.ts';
import { foundFiles } from './ext4-partition.ts';

test('changes become commands, all of them with owner and mode', () => {
  const { commands, contents } = debugfsCommands([
    { type: 'folder', path: '/usr/lib/a', mode: 0o755 },
    { type: 'file', path: '/usr/lib/a/b', mode: 0o4711, content: Buffer.from('x') },
    { type: 'file', path: '/etc/c', mode: 0o600, content: Buffer.from('y'), replaces: true },
    { type: 'link', path: '/usr/bin/b', target: '../lib/a/b' },
    { type: 'touch', path: '/usr', timeSeconds: 1_700_000_000.9 },
  ]);
  expect(commands.split('\n')).toEqual([
    'mkdir /usr/lib/a',
    'sif /usr/lib/a mode 040755',
    'sif /usr/lib/a uid 0',
    'sif /usr/lib/a gid 0',
    'write content0 /usr/lib/a/b',
    'sif /usr/lib/a/b mode 0104711',
    'sif /usr/lib/a/b uid 0',
    'sif /usr/lib/a/b gid 0',
    'rm /etc/c',
    'write content1 /etc/c',
    'sif /etc/c mode 0100600',
    'sif /etc/c uid 0',
    'sif /etc/c gid 0',
    'symlink /usr/bin/b ../lib/a/b',
    'sif /usr mtime @1700000000',
    '',
  ]);
  expect(contents.map((content) => Buffer.from(content).toString())).toEqual(['x', 'y']);
});

test.each([
  '/a b',
  '/a"b',
  "/a'b",
  '/a\nrm /etc/passwd',
  '/a/../b',
  'a',
  '',
  '/\u00e4',
  '/a;b',
  `/${'a'.repeat(5000)}`,
])('no path that debugfs could take for something else is written: %j', (path) => {
  expect(() => debugfsCommands([{ type: 'folder', path, mode: 0o755 }])).toThrow('cannot be written into an image');
});

test.each(['a b', 'a\nrm x', ''])('nor the target of a link: %j', (target) => {
  expect(() => debugfsCommands([{ type: 'link', path: '/a', target }])).toThrow('cannot be written into an image');
});

test('what debugfs says of files is read, and lines that a link fakes change nothing for others', () => {
  const output = [
    'debugfs: stat /bin',
    'Inode: 12   Type: symlink    Mode:  0777   Flags: 0x0',
    'User:     0   Group:     0   Project:     0   Size: 7',
    'Fast link dest: "usr/bin"',
    'debugfs: stat /none',
    'debugfs: stat /etc',
    'Inode: 15   Type: directory    Mode:  0755   Flags: 0x80000',
    'User:     0   Group:     0   Project:     0   Size: 4096',
    'debugfs: stat /etc/x',
    'Inode: 16   Type: regular    Mode:  0644   Flags: 0x80000',
    'User:     0   Group:     0   Project:     0   Size: 12',
    'Inode: 17   Type: directory    Mode:  0755   Flags: 0x80000',
    'User:     0   Group:     0   Project:     0   Size: 13',
    'Fast link dest: "/etc/passwd"',
    'debugfs: stat /other',
    'Inode: 17   Type: character special    Mode:  0755   Flags: 0x80000',
    'User:     0   Group:     0   Project:     0   Size: 0',
  ].join('\n');
  expect([...foundFiles(output, ['/bin', '/none', '/etc', '/etc/x'])]).toEqual([
    ['/bin', { type: 'link', bytes: 7, target: 'usr/bin' }],
    ['/etc', { type: 'folder', bytes: 4096 }],
    ['/etc/x', { type: 'file', bytes: 12 }],
  ]);
});
