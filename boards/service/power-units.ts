/**
 * How a service without rights shuts the board down: it leaves an empty file called `poweroff` or `reboot` in its runtime
 * directory, and a unit of root carries that out. Only the service's user can write there. What is in a file is never read, so
 * nothing else can be asked for. The folder is in memory and goes when the service stops, so no request outlives either.
 */
export const POWER_REQUESTS = '/run/pipevine';
export const POWER_PATH_UNIT = 'pipevine-power.path';

/** systemd.path(5), systemd.service(5), by name. The unit of the peer starts the path; masking that takes the right away. */
export const POWER_UNITS: Readonly<Record<string, string>> = {
  [POWER_PATH_UNIT]: `[Unit]
Description=Requests of the Pipevine peer to shut down or reboot
Documentation=man:pipevine(1)
PartOf=pipevine.service

[Path]
PathExists=${POWER_REQUESTS}/poweroff
PathExists=${POWER_REQUESTS}/reboot
`,
  // The request goes first: what cannot be removed is not carried out, again and again.
  'pipevine-power.service': `[Unit]
Description=Shut down or reboot, as the Pipevine peer has asked
Documentation=man:pipevine(1)

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'cd ${POWER_REQUESTS} && for verb in poweroff reboot; do if [ -e $$verb ]; then rm -f poweroff reboot && exec systemctl --no-block $$verb; exit 1; fi; done'
NoNewPrivileges=yes
PrivateNetwork=yes
PrivateTmp=yes
ProtectHome=yes
RestrictAddressFamilies=AF_UNIX
`,
};
