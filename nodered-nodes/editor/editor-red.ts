import type { ListedAffordance, ListedThing } from '../admin/list-things.ts';

/** The editor's global object, for the editor scripts: types alone. */
export type { EditorRED } from 'node-red';

/** What `pipevine-editor.ts` puts into the page for the editor scripts. */
export interface PipevineEditor {
  /**
   * A search for an input's autoComplete: asks `pipevine/PEER/LIST` of the peer that the dialog shows, and offers what contains
   * the typed text. A text that is not offered stays as it was typed.
   */
  search<T>(
    list: 'things' | 'peers' | 'pipes',
    toSuggestion: (item: T) => Suggestion,
    options?: PickOptions,
  ): (value: string, done: (suggestions: object[]) => void) => void;
  /** The same for a plain input: autoComplete, a button that asks anew, and a line that says why a list is empty. */
  pick<T>(
    input: string,
    list: 'things' | 'peers' | 'pipes',
    toSuggestion: (item: T) => Suggestion,
    options?: PickOptions,
  ): void;
  /** A typedInput whose text type is a picker; and `msg`, `flow`, `global`, `env`, `jsonata`. */
  typedPick<T>(
    input: string,
    typeField: string,
    list: 'things' | 'peers' | 'pipes',
    toSuggestion: (item: T) => Suggestion,
    options?: PickOptions,
  ): void;
  /** `#node-input-thing`: a thing by its title, or by its id where two have the same. */
  pickThing(): void;
  /** What the thing of `#node-input-thing` has to offer. */
  pickAffordance(field: string, of: (thing: ListedThing) => readonly ListedAffordance[]): void;
  /** `#node-input-target`: a member of the group. */
  pickMember(): void;
  /** `#node-input-pipe`: what others listen under, of one kind. */
  pickPipe(kind: string): void;
  /** A typedInput; the first of its types is the default. */
  typed(field: string, types: TypedInput): void;
}

/** Types that an input takes: `value` any, and `bytes` a buffer besides; `text` and `json` what their name says, or an expression. */
export type TypedInput = 'value' | 'bytes' | 'text' | 'json';

export interface Suggestion {
  readonly value: string;
  readonly label: string;
  /** In a lighter colour behind the label. */
  readonly detail?: string;
}

export interface PickOptions {
  /** Selector of the field that has the peer's id; default `#node-input-peer`. */
  readonly peer?: string;
  /** Which of the answer's items; default all. */
  readonly filter?: (item: never) => boolean;
  /** What each of those is to be replaced by, as Array.flatMap does; default itself. */
  readonly expand?: (item: never, index: number, items: never[]) => readonly unknown[];
  /** `?kind=` and the like; asked each time. */
  readonly query?: () => Readonly<Record<string, string>>;
}
