/** Which addresses belong to the public internet. Everything that may lie behind the operator's own walls does not. */

import { BlockList, isIP } from 'node:net';

/** IANA's special-purpose registry for IPv4. */
const privateRanges = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];

/** Of IPv6 only this is routed, and within it these name an IPv4 address, a tunnel or an example. */
const globalUnicast = '2000::/3';
const embeddedRanges = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

const notPublic4 = blockList(privateRanges, 'ipv4');
const public6 = blockList([globalUnicast], 'ipv6');
const notPublic6 = blockList(embeddedRanges, 'ipv6');

/** False for everything that is no address. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) return !notPublic4.check(address, 'ipv4');
  if (isIP(address) === 6) return public6.check(address, 'ipv6') && !notPublic6.check(address, 'ipv6');
  return false;
}

function blockList(ranges: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address, bits] = range.split('/') as [string, string];
    list.addSubnet(address, Number(bits), family);
  }
  return list;
}
