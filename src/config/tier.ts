// Where programs use a variable's files.

/** `node`: in a copy on the disk of each node, which is made of the one on scratch. */
export type Tier = typeof TIERS[number];

/** The tiers by name. */
export const TIERS = ["scratch", "node"] as const;
