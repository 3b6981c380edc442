import type { Connector, ConnectorHost } from '@pipevine/proxy-host';
import { type JsonValue, PipevineError } from '@pipevine/runtime';

/** Devices that exist in the simulation alone: a temperature, a setpoint, a button. */
export class SensorConnector implements Connector {
  readonly name = 'simulated';
  readonly #count: number;
  /** What was last written to each device's setpoint. */
  readonly written = new Map<string, JsonValue>();
  #host: ConnectorHost | undefined;

  constructor(count: number) {
    this.#count = count;
  }

  async start(host: ConnectorHost): Promise<void> {
    this.#host = host;
    for (let i = 0; i < this.#count; i++) this.add(i);
  }

  add(i: number): void {
    const key = `sensor-${i}`;
    this.#host?.deviceAdded({
      key,
      thing: {
        title: `Sensor ${i}`,
        properties: {
          temperature: { type: 'number', unit: '\u00b0C', readOnly: true, observable: true },
          setpoint: { type: 'number', minimum: 0, maximum: 100, observable: true },
        },
        actions: { identify: { output: { type: 'string' } } },
        events: { pressed: {} },
      },
    });
    this.#host?.availabilityChanged(key, 'up');
    this.measure(i, 20 + i);
  }

  measure(i: number, value: number): void {
    this.#host?.valueChanged(`sensor-${i}`, 'temperature', value);
  }

  lose(i: number): void {
    this.#host?.availabilityChanged(`sensor-${i}`, 'lost');
  }

  remove(i: number): void {
    this.#host?.deviceRemoved(`sensor-${i}`);
  }

  status() {
    return { devices: this.#count };
  }

  async write(key: string, property: string, value: JsonValue): Promise<void> {
    if (property !== 'setpoint') throw new PipevineError('refused', `${property} of ${key} cannot be written.`);
    this.written.set(key, value);
    this.#host?.valueChanged(key, property, value);
  }

  async invoke(key: string, action: string): Promise<JsonValue | undefined> {
    return `${action} ${key}`;
  }

  async close(): Promise<void> {
    this.#host = undefined;
  }
}
