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
}

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
