// Images of databases and caches that the platform has natively.

export type Store = "postgres" | "valkey";

const IMAGES: readonly [RegExp, Store][] = [
  [/(^|\/)(library\/|bitnami\/)?(postgres|postgresql)(:|@|$)/, "postgres"],
  [/(^|\/)(library\/|bitnami\/|valkey\/)?(redis|valkey)(:|@|$)/, "valkey"],
];

/** The store that an image is, if the platform has it. */
export const storeOf = (image: string): Store | undefined => IMAGES.find(([pattern]) => pattern.test(image))?.[1];
