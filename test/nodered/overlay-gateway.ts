import { freePort, PipevineProcess, pipevineJson, temporaryFolder } from '../e2e/pipevine-process.ts';

/** A gateway with an embedded MQTT broker, on loopback alone. */
export interface OverlayGateway extends AsyncDisposable {
  readonly home: string;
  /** Where peers dial it. */
  readonly address: string;
  readonly mqttUrl: string;
  readonly environment: NodeJS.ProcessEnv;
  /** A join code for one peer. */
  invite(): Promise<string>;
  /** Resolves once its log says that a peer's links are gone, after `ready` or an earlier call. */
  peerGone(deadlineMs: number): Promise<void>;
  /** JSON lines of another command of this gateway. */
  ask(...args: readonly string[]): Promise<Record<string, unknown>[]>;
}

export async function startGateway({
  transport = 'tcp',
}: {
  readonly transport?: 'tcp' | 'udp';
} = {}): Promise<OverlayGateway> {
  const folder = await temporaryFolder();
  const home = `${folder.path}/gateway`;
  const address = `${transport}://127.0.0.1:${await freePort()}`;
  const mqtt = `127.0.0.1:${await freePort()}`;
  const environment = { PIPEVINE_MULTICAST_INTERFACE: 'lo', PIPEVINE_MULTICAST_PORT: String(await freePort()) };
  const args = ['up', '--home', home, '--name', 'cellar', '--listen', address, '--mqtt-listen', mqtt, '--no-multicast'];
  const running = new PipevineProcess([...args, '--json'], environment);
  try {
    await running.json((value) => (value.event === 'ready' ? true : undefined), 30_000);
  } catch (error) {
    await running.end('SIGKILL');
    await folder.remove();
    throw new Error(`The gateway did not start:\n${running.stderr.lines.join('\n')}`, { cause: error });
  }
  const ask = (...rest: readonly string[]) => pipevineJson([...rest, '--home', home], environment);
  let read = 0;
  return {
    home,
    address,
    mqttUrl: `mqtt://${mqtt}`,
    environment,
    ask,
    invite: async () => {
      const [invitation] = await ask('invite');
      if (typeof invitation?.code !== 'string') throw new Error(`no code: ${JSON.stringify(invitation)}`);
      return invitation.code;
    },
    peerGone: async (deadlineMs) => {
      await running.stderr.next((line) => (/peer gone/.test(line) ? true : undefined), deadlineMs, read);
      read = running.stderr.lines.length;
    },
    [Symbol.asyncDispose]: async () => {
      await running.end('SIGKILL');
      await folder.remove();
    },
  };
}
