import { changingRoutes, million } from './changing-routes.ts';
import { controlPlane } from './control-plane.ts';
import { crowd, SCENARIOS, type Scenario } from './scenarios.ts';
import { WIDE_SCENARIOS } from './wide-scenarios.ts';

/** Those that are quick enough to run with many seeds. */
export const QUICK_SCENARIOS: readonly Scenario[] = [...SCENARIOS, controlPlane, changingRoutes];

export const ALL_SCENARIOS: readonly Scenario[] = [...QUICK_SCENARIOS, crowd, million, ...WIDE_SCENARIOS];

export function scenarioNamed(name: string): Scenario {
  const scenario = ALL_SCENARIOS.find((one) => one.name === name);
  if (scenario === undefined) throw new Error(`There is no scenario named "${name}".`);
  return scenario;
}
