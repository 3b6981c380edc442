/** What a bounded table of connections counts. */
export interface AdmissionCounters {
  /** Open now. */
  open: number;
  accepted: number;
  /** Refused because the bound over all remotes was reached. */
  refusedTotal: number;
  /** Refused because the bound of one remote was reached. */
  refusedPerRemote: number;
}

/** Bounds how much may be open at once, in total and from one IP address. */
export class RemoteAdmission {
  readonly counters: AdmissionCounters = { open: 0, accepted: 0, refusedTotal: 0, refusedPerRemote: 0 };
  readonly #maxTotal: number;
  readonly #maxPerRemote: number;
  readonly #openByRemote = new Map<string, number>();

  constructor(maxTotal: number, maxPerRemote: number) {
    this.#maxTotal = maxTotal;
    this.#maxPerRemote = maxPerRemote;
  }

  /** Admits one more and gives what to call, once, when it is gone; undefined when a bound is reached. */
  admit(remote: string): (() => void) | undefined {
    const fromRemote = this.#openByRemote.get(remote) ?? 0;
    if (this.counters.open >= this.#maxTotal) {
      this.counters.refusedTotal++;
      return undefined;
    }
    if (fromRemote >= this.#maxPerRemote) {
      this.counters.refusedPerRemote++;
      return undefined;
    }
    this.counters.accepted++;
    this.counters.open++;
    this.#openByRemote.set(remote, fromRemote + 1);
    return () => {
      this.counters.open--;
      const left = (this.#openByRemote.get(remote) ?? 1) - 1;
      if (left > 0) this.#openByRemote.set(remote, left);
      else this.#openByRemote.delete(remote);
    };
  }
}
