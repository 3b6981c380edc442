/** Bounds on one template. A template is foreign text: none of these can be raised by what it says. */
export interface TemplateLimits {
  /** Characters of the source; the default holds the longest published templates (3 KiB) with room to spare. */
  readonly maxSourceLength: number;
  /** Nesting of expressions and blocks: keeps parser, interpreter and formatter far from the end of the stack. */
  readonly maxDepth: number;
  /** Steps of one rendering. Work in proportion to a size (a long string, a list) costs steps in proportion. */
  readonly maxSteps: number;
  /** UTF-16 units of any string that a template makes, its output included. */
  readonly maxTextLength: number;
  /** Items of any list or dictionary that a template makes. */
  readonly maxItems: number;
}

export const DEFAULT_TEMPLATE_LIMITS: TemplateLimits = {
  maxSourceLength: 16_384,
  maxDepth: 64,
  maxSteps: 10_000,
  maxTextLength: 65_536,
  maxItems: 4_096,
};
