import type { ServiceHost } from '../service/service-host.ts';

/** The system that a first boot sets up: its files below `root`, and what runs its commands. */
export type FirstBootHost = Pick<ServiceHost, 'root' | 'run'>;
