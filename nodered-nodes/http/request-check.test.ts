import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { plainPath, sayWhoAsks } from './request-check.ts';
import { bodyFrom, headersFrom, methodFrom, pathFrom } from './request-parts.ts';

const refused = expect.objectContaining({ code: 'invalid-argument' });

describe('sayWhoAsks', () => {
  it('takes out what claims to say it, in both forms of the headers, and what speaks of a proxy', () => {
    const request = new IncomingMessage(new Socket());
    request.rawHeaders = [
      'Host',
      'a',
      'X-PIPEVINE-PEER',
      'boss',
      'x_pipevine-roles',
      'administrator',
      'Forwarded',
      'for=1',
    ];
    Object.assign(request.headers, {
      host: 'a',
      'x-pipevine-peer': 'boss',
      'x_pipevine-roles': 'administrator',
      forwarded: 'for=1',
    });
    sayWhoAsks(request, 'me', ['member', 'a,administrator']);
    const said = { 'x-pipevine-peer': 'me', 'x-pipevine-roles': 'member,a%2Cadministrator' };
    expect(request.headers).toEqual({ host: 'a', ...said });
    expect(request.rawHeaders).toEqual([
      'Host',
      'a',
      'X-Pipevine-Peer',
      'me',
      'X-Pipevine-Roles',
      'member,a%2Cadministrator',
    ]);
  });
});

describe('plainPath', () => {
  it.each(['/', '/a', '/a/b?c=../d', '/%C3%BC', '/a.b/..c', '/a//b'])('%s is one path for everybody', (target) => {
    expect(plainPath(target)).toBe(target.split('?')[0]);
  });

  it.each([
    '',
    '*',
    'a',
    '//a',
    '/..',
    '/a/../b',
    '/./a',
    '/%2e%2E/a',
    '/a%2Fb',
    '/a%5cb',
    '/a\\b',
    '/%',
    '/%ff',
    '/%0a',
    'http://a/b',
  ])('%s is not', (target) => {
    expect(plainPath(target)).toBeUndefined();
  });
});

describe('the parts of a call', () => {
  it('a path takes a query, and leads nowhere else', () => {
    expect(pathFrom('/a?b=1', { c: [2, 3], d: { e: 4 }, f: undefined })).toBe('/a?b=1&c=2&c=3&d=%7B%22e%22%3A4%7D');
    expect(pathFrom('/a b', undefined)).toBe('/a%20b');
    for (const path of ['a', '//a/b', '/\\a', 'http://a/b', ''])
      expect(() => pathFrom(path, undefined)).toThrow(refused);
    expect(() => pathFrom('/a', ['b'])).toThrow(refused);
  });

  it('headers cannot end their line, nor say what belongs to the connection', () => {
    const headers = headersFrom(
      { A: 1, Host: 'x', 'Transfer-Encoding': 'chunked', 'Content-Length': '3' },
      { a: ['2', '3'] },
    );
    expect({ ...headers }).toEqual({ a: ['2', '3'] });
    expect(() => headersFrom({ 'a b': '1' })).toThrow(refused);
    expect(() => headersFrom({ a: 'b\r\nc: d' })).toThrow(refused);
    expect(() => headersFrom('a: b')).toThrow(refused);
    expect({ ...headersFrom(JSON.parse('{"__proto__": "x"}')) }).toEqual(JSON.parse('{"__proto__": "x"}'));
  });

  it('a method is one word', () => {
    expect(methodFrom('get')).toBe('GET');
    for (const method of ['', 'GET /', 'CONNECT', 'A\r\nB']) expect(() => methodFrom(method)).toThrow(refused);
  });

  it('a body says what it is', () => {
    expect(bodyFrom({ a: 1 })).toMatchObject({ type: 'application/json' });
    expect(bodyFrom('a')).toMatchObject({ type: 'text/plain; charset=utf-8' });
    expect(bodyFrom(undefined)).toEqual({ body: undefined, type: undefined });
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    expect(() => bodyFrom(cycle)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });
});
