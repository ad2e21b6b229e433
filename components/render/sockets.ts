import { rendered } from "./render.ts";

/** Script that opens and closes the socket directory of a server. Each release with a server has its own copy. */
export const socketFolder = (server: string) => {
  const place = "usr/local/libexec/gatehouse";
  return rendered(`/${place}/${server}-socket-folder`, "root:root", "0755", `${place}/socket-folder`, {});
};
