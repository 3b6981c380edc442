import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeMqttDeviceJourney } from './mqtt-device-journey.ts';
import { freePort, LineReader, temporaryFolder } from './pipevine-process.ts';

describeMqttDeviceJourney('an MQTT device as a peer, by mosquitto', async () => {
  const port = await freePort();
  const folder = await temporaryFolder();
  const configuration = join(folder.path, 'mosquitto.conf');
  await writeFile(configuration, `listener ${port} 127.0.0.1\nallow_anonymous true\n`);
  const broker = spawn('mosquitto', ['-v', '-c', configuration], { stdio: ['ignore', 'ignore', 'pipe'] });
  await new LineReader(broker.stderr).next((line) => (line.includes('running') ? true : undefined), 10_000);
  return {
    url: `mqtt://127.0.0.1:${port}`,
    mqttArguments: ['--mqtt', `mqtt://127.0.0.1:${port}`],
    stop: async () => {
      broker.kill('SIGTERM');
      await once(broker, 'exit');
      await folder.remove();
    },
  };
});
