/** Formats of strings as patterns; each allows a part of what its standard does, the part that is in use. */

const octet = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?';
const hostname = `(?:${label}\\.){0,4}${label}`;
/** Days up to 28 in every month, 29 and 30 in all but February, 31 where there is one. */
const date =
  '[12]\\d{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)';
const time = '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?(?:Z|[+-](?:0\\d|1[0-4]):[0-5]\\d)';
const group = '[0-9a-fA-F]{1,4}';

export const formats: Readonly<Record<string, string>> = {
  'date-time': `${date}T${time}`,
  date,
  time,
  duration: 'P(?:\\d{1,4}W|(?:\\d{1,4}D)(?:T\\d{1,2}H)?|T\\d{1,4}[HMS])',
  email: `[a-zA-Z0-9_+-]{1,32}(?:\\.[a-zA-Z0-9_+-]{1,32}){0,2}@(?:${label}\\.){1,3}[a-zA-Z]{2,12}`,
  hostname,
  ipv4: `${octet}(?:\\.${octet}){3}`,
  ipv6: `${group}(?::${group}){7}`,
  uri: `[a-z]{2,8}://${hostname}(?::\\d{2,4})?(?:/[a-zA-Z0-9._~-]*)*(?:\\?[a-zA-Z0-9._~=&-]*)?(?:#[a-zA-Z0-9._~-]*)?`,
  uuid: '[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}',
};
