/** What the first user of Raspberry Pi OS may do, and who makes one by the setup may then. No system has all of these groups. */
export const LOGIN_GROUPS: readonly string[] =
  'users adm dialout audio netdev video plugdev cdrom games input gpio spi i2c render sudo'.split(' ');
