import { describe, expect, it } from 'vitest';
import { chooseProxy, proxySettingsFrom } from './proxy-settings.ts';

const settings = { http: 'http://plain:3128', https: 'http://ann:a%40b@[::1]:8080' };
const target = { secure: false, host: 'relay.example.org', port: 80 };

describe('the proxy', () => {
  it('depends on whether the target is secure', () => {
    expect(chooseProxy(settings, target)).toEqual({ host: 'plain', port: 3128 });
    expect(chooseProxy(settings, { ...target, secure: true })).toEqual({
      host: '::1',
      port: 8080,
      authorization: `Basic ${Buffer.from('ann:a@b').toString('base64')}`,
    });
    expect(chooseProxy({}, target)).toBeUndefined();
  });

  it('comes from the usual variables, the lower-case ones first', () => {
    const environment = { http_proxy: 'http://a:1', HTTP_PROXY: 'http://b:1', HTTPS_PROXY: 'http://c:1', no_proxy: '' };
    expect(proxySettingsFrom(environment)).toEqual({ http: 'http://a:1', https: 'http://c:1' });
  });

  it.each([
    ['*', 'relay.example.org', true],
    ['example.org', 'relay.example.org', true],
    ['.example.org', 'relay.example.org', true],
    ['*.example.org', 'relay.example.org', true],
    ['EXAMPLE.org', 'relay.example.org', true],
    ['ample.org', 'relay.example.org', false],
    ['relay.example.org:80', 'relay.example.org', true],
    ['relay.example.org:81', 'relay.example.org', false],
    ['a, example.org ,b', 'relay.example.org', true],
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['10.0.0.0/33', '10.1.2.3', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['fd00::/8', 'fd12::1', true],
    ['::1', '::1', true],
    ['[::1]:80', '::1', true],
    ['0.0.0.0/0', '::1', false],
    ['', 'relay.example.org', false],
  ])('is left out by NO_PROXY=%s for %s: %s', (noProxy, host, isLeftOut) => {
    expect(chooseProxy({ ...settings, noProxy }, { ...target, host }) === undefined).toBe(isLeftOut);
  });

  it.each(['https://a:1', 'socks5://a:1', 'http://a:1/path', 'http://ann:secret@', '::'])(
    'is refused without showing a password: %s',
    (http) => {
      expect(() => chooseProxy({ http }, target)).toThrow(
        expect.objectContaining({ code: 'invalid-argument', message: expect.not.stringContaining('secret') }),
      );
    },
  );
});
