/** Directory on the host with all versions of the secrets in a release. */
export const secretsHome = (release: string) => `/var/lib/gatehouse/secrets/${release}`;

/**
 * Placeholder that the host replaces with a secret. It remains plain text if the file's `secrets` do not list the name.
 */
export const secretPlace = (name: string) => `{{secrets ${name}}}`;

/** Directory of one version. The manifest of the secrets uses `{generation}` as the version. */
export const secretsFolder = (release: string, generation: number | string) => `${secretsHome(release)}/${generation}`;
