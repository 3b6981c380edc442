import { STATE_FOLDER } from '../first-boot/first-boot-state.ts';
import { FIRST_BOOT_UNITS } from '../first-boot/first-boot-units.ts';

const UNIT = 'pipevine.service';
/** Those that do something only where a card has a setup file. */
const CARD_UNITS = FIRST_BOOT_UNITS.join(' ');

/**
 * What dpkg runs (Debian policy, chapter 6). Nothing asks. A machine without a running systemd, such as an image that is
 * being built, gets the unit enabled for its first boot.
 */
export const MAINTAINER_SCRIPTS: Readonly<Record<'postinst' | 'prerm' | 'postrm', string>> = {
  postinst: `#!/bin/sh
set -e
if [ "$1" = configure ]; then
  systemd-sysusers pipevine.conf
  if [ -z "$2" ]; then
    systemctl --quiet enable ${UNIT} ${CARD_UNITS} || true
  fi
  if [ -d /run/systemd/system ]; then
    udevadm control --reload 2>/dev/null || true
    udevadm trigger --action=add --subsystem-match=gpio --subsystem-match=leds --subsystem-match=pwm --subsystem-match=i2c-dev --subsystem-match=spidev 2>/dev/null || true
    systemctl --system daemon-reload || true
    if [ -z "$2" ] || systemctl --quiet is-enabled ${UNIT}; then
      systemctl --no-block restart ${UNIT} || true
    fi
  fi
fi
exit 0
`,
  prerm: `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl stop ${UNIT} ${CARD_UNITS} || true
fi
exit 0
`,
  postrm: `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload || true
fi
if [ "$1" = purge ]; then
  for unit in ${UNIT} ${CARD_UNITS}; do rm -f /etc/systemd/system/multi-user.target.wants/$unit; done
  rm -rf /var/lib/private/pipevine /etc/pipevine ${STATE_FOLDER}
  rm -rf /var/lib/pipevine
fi
exit 0
`,
};
