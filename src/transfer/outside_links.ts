// Selected links that lead out of a source: a program that follows them on scratch reads the files they lead to, not copies.

/** A link that leads out of its source. */
export interface OutsideLink {
  /** Relative to the source. */
  readonly path: string;
  /** The text of the link. */
  readonly target: string;
}

/** The number of all such links, and the first of them by path. */
export interface OutsideLinks {
  readonly count: number;
  readonly links: readonly OutsideLink[];
}

/** The largest number of links that are kept. */
const MOST_LINKS = 1000;

/** Gathers such links during a walk. */
export class OutsideLinkList {
  #count = 0;
  readonly #links: OutsideLink[] = [];

  add(link: OutsideLink): void {
    this.#count++;
    if (this.#links.length < MOST_LINKS) this.#links.push(link);
  }

  /** The links gathered so far. */
  found(): OutsideLinks {
    const links = this.#links.toSorted((one, other) => one.path < other.path ? -1 : 1);
    return { count: this.#count, links };
  }
}
