import { startProxyHost } from '@pipevine/proxy-host';
import type { ConsumedThing, ObservationNotice, PeerGroup, ThingSummary } from '@pipevine/runtime';
import { SensorConnector } from './sensor-connector.ts';
import type { Machine, Simulation } from './simulation.ts';

/** A gateway that stands in for sensors, and edges that have joined its group. */
export class Household {
  readonly simulation: Simulation;
  readonly sensors: SensorConnector;
  readonly gateway: Machine;
  readonly edges: Machine[] = [];

  constructor(simulation: Simulation, init: { readonly sensors: number; readonly listen?: readonly string[] }) {
    this.simulation = simulation;
    this.sensors = new SensorConnector(init.sensors);
    this.gateway = simulation.machine('gateway', {
      roles: ['gateway'],
      listen: init.listen ?? ['mem://gateway:7'],
      program: async (peer, { storage, clock, crypto, random }) => {
        const group = peer.groups[0] ?? (await peer.createGroup({ name: 'home' }));
        return startProxyHost({ peer, group, connectors: [this.sensors], storage, clock, crypto, random });
      },
    });
  }

  /** Starts the gateway and `edges` edges, every `listening`th of which can be dialled, and lets them join by a code. */
  async settle(edges: number, listening = 1): Promise<void> {
    const { clock } = this.simulation;
    await clock.run(this.gateway.start());
    const code = await clock.run(this.gateway.peer.invite(this.home.id, { uses: Math.max(1, Math.min(edges, 256)) }));
    for (let i = 0; i < edges; i++) {
      const name = `edge-${i}`;
      this.edges.push(await this.simulation.start(name, { listen: i % listening === 0 ? [`mem://${name}:7`] : [] }));
    }
    await clock.run(Promise.all(this.edges.map((edge) => edge.peer.join(code))));
    this.simulation.note('joined', edges);
  }

  get home(): PeerGroup {
    return groupOf(this.gateway);
  }

  /** The things that a machine finds now, in the order of their titles. */
  async things(machine: Machine): Promise<ThingSummary[]> {
    const found: ThingSummary[] = [];
    await this.simulation.clock.run(
      (async () => {
        for await (const thing of groupOf(machine).things()) found.push(thing);
      })(),
    );
    this.simulation.note(machine.name, 'found', ...found.map(({ id }) => id).sort());
    return found.sort((a, b) => Number(a.title.slice(7)) - Number(b.title.slice(7)));
  }

  async consume(machine: Machine, thing: ThingSummary): Promise<ConsumedThing> {
    return this.simulation.clock.run(groupOf(machine).consume(thing));
  }

  /** Reads a temperature as a machine sees it. */
  async read(machine: Machine, thing: ThingSummary): Promise<unknown> {
    const consumed = await this.consume(machine, thing);
    const { value } = await this.simulation.clock.run(consumed.readProperty('temperature'));
    await this.simulation.clock.run(consumed.close());
    this.simulation.note(machine.name, 'read', thing.title, Number(value));
    return value;
  }

  /** Observes a temperature from now on; the notices come in as time passes. */
  async observe(machine: Machine, thing: ThingSummary): Promise<ObservationNotice[]> {
    const notices: ObservationNotice[] = [];
    const consumed = await this.consume(machine, thing);
    (async () => {
      for await (const notice of consumed.observeProperty('temperature')) {
        notices.push(notice);
        this.simulation.note(machine.name, notice.type, notice.type === 'value' ? Number(notice.reading.value) : '');
      }
    })().catch((error: unknown) => this.simulation.note(machine.name, 'observation failed', String(error)));
    return notices;
  }
}

export function groupOf(machine: Machine): PeerGroup {
  const [group] = machine.peer.groups;
  if (group === undefined) throw new Error(`${machine.name} is in no group`);
  return group;
}

export function valuesOf(notices: readonly ObservationNotice[]): unknown[] {
  return notices.flatMap((notice) => (notice.type === 'value' ? [notice.reading.value] : []));
}
