/** Where the secrets of one generation of a release lie on the host; in a manifest of secrets it is `{generation}`. */
export const secretsFolder = (release: string, generation: number | string) =>
  `/var/lib/gatehouse/secrets/${release}/${generation}`;
