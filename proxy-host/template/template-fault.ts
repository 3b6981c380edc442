/**
 * What goes wrong inside a template. Never leaves the folder: `Template` turns it into a PipevineError that also
 * names the template.
 */
export class TemplateFault extends Error {
  readonly code: 'malformed' | 'overloaded';

  constructor(code: 'malformed' | 'overloaded', message: string) {
    super(message);
    this.code = code;
  }
}

export function malformed(message: string): TemplateFault {
  return new TemplateFault('malformed', message);
}

export function overloaded(message: string): TemplateFault {
  return new TemplateFault('overloaded', message);
}
