import { describeMqttDeviceJourney } from './mqtt-device-journey.ts';
import { freePort } from './pipevine-process.ts';

describeMqttDeviceJourney('an MQTT device as a peer, by the embedded broker', async () => {
  const port = await freePort();
  return {
    url: `mqtt://127.0.0.1:${port}`,
    mqttArguments: ['--mqtt-listen', `127.0.0.1:${port}`],
    stop: async () => {},
  };
});
