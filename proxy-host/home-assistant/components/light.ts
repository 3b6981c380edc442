import type { PlanBuilder } from '../plan-builder.ts';
import { planBasicLight } from './light-basic.ts';
import { planJsonLight } from './light-json.ts';
import { planTemplateLight } from './light-template.ts';

/** A light speaks one of three schemas. */
export function planLight(builder: PlanBuilder): void {
  const schema = builder.reader.oneOf('schema', ['basic', 'json', 'template'], 'basic');
  if (schema === 'json') planJsonLight(builder);
  else if (schema === 'template') planTemplateLight(builder);
  else planBasicLight(builder);
}
