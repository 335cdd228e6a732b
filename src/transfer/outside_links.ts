// Links of a source that take part and lead out of it: a program that reads them on scratch reads from where they lead.

/** Such a link. */
export interface OutsideLink {
  /** Relative to the source. */
  readonly path: string;
  /** Where it leads, as its text says. */
  readonly target: string;
}

/** All of them: how many, and the first by path. */
export interface OutsideLinks {
  readonly count: number;
  readonly links: readonly OutsideLink[];
}

/** So many are kept. */
const MOST_LINKS = 1000;

/** Gathers them during a walk. */
export class OutsideLinkList {
  #count = 0;
  readonly #links: OutsideLink[] = [];

  add(link: OutsideLink): void {
    this.#count++;
    if (this.#links.length < MOST_LINKS) this.#links.push(link);
  }

  /** What was gathered. */
  found(): OutsideLinks {
    const links = this.#links.toSorted((one, other) => one.path < other.path ? -1 : 1);
    return { count: this.#count, links };
  }
}
