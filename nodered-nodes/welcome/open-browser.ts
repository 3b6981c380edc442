import { spawn } from 'node:child_process';

/** Shows a page in the person's browser, where there is a screen to show it on. */
export function openBrowser(url: string): void {
  const { platform, env } = process;
  if (platform === 'linux' && env.DISPLAY === undefined && env.WAYLAND_DISPLAY === undefined) return;
  const [command, args]: [string, string[]] =
    platform === 'darwin'
      ? ['open', [url]]
      : platform === 'win32'
        ? ['cmd', ['/c', 'start', '', url]]
        : ['xdg-open', [url]];
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  // The address is printed anyway.
  child.on('error', () => {});
  child.unref();
}
