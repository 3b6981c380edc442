import type { AdminRequest } from '../admin/admin-route.ts';
import { pipevineFailure } from '../node/pipevine-failure.ts';
import { type DescriptionConfig, exposedDescription } from './exposed-description.ts';

/** `description` is what is exposed, less what the runtime fills in; null when something is wrong, which `message` says. */
export interface DescriptionCheck {
  readonly message: string | null;
  readonly description: unknown;
}

/** Checks what the dialog of a thing shows, in `body`, and gives it as JSON. Changes nothing. */
export async function checkDescription({ body }: Pick<AdminRequest, 'body'>): Promise<DescriptionCheck> {
  try {
    const config = typeof body === 'object' && body !== null ? (body as DescriptionConfig) : {};
    return { message: null, description: exposedDescription(config) };
  } catch (error) {
    return { message: pipevineFailure(error).message, description: null };
  }
}
