/** Where all generations of a release's secrets lie on the host. */
export const secretsHome = (release: string) => `/var/lib/gatehouse/secrets/${release}`;

/** Those of one generation; in a manifest of secrets it is `{generation}`. */
export const secretsFolder = (release: string, generation: number | string) => `${secretsHome(release)}/${generation}`;
