/** Where all generations of a release's secrets lie on the host. */
export const secretsHome = (release: string) => `/var/lib/gatehouse/secrets/${release}`;

/** Where the host puts a secret into a file; the file's `secrets` name it, or it is text. */
export const secretPlace = (name: string) => `{{secrets ${name}}}`;

/** Those of one generation; in a manifest of secrets it is `{generation}`. */
export const secretsFolder = (release: string, generation: number | string) => `${secretsHome(release)}/${generation}`;
