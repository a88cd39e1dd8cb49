// What to paste where, so that a file gets into the bucket. Each asks for nothing that the key pair may not do: put
// objects under its own prefix, and list it.

import type { Credentials } from "./api";

/** Text for a terminal or a script, or what to enter in the fields of a program. */
export type Snippet = { name: string; note: string } & ({ text: string } | { settings: Setting[] });

export interface Setting {
  name: string;
  value: string;
  isSecret?: boolean;
}

const HIDDEN = "<your secret key>";

export function snippets(pair: Credentials): Snippet[] {
  const { bucket, prefix, region, bucket_path, access_key_id } = pair;
  const secret = pair.secret_access_key ?? HIDDEN;
  const key: Setting[] = [
    { name: "Access key ID", value: access_key_id },
    { name: "Secret access key", value: secret, isSecret: true },
  ];
  return [
    {
      name: "AWS CLI (macOS, Linux)",
      note: "Needs the AWS CLI. On Windows, use PowerShell below.",
      text: `export AWS_ACCESS_KEY_ID='${access_key_id}'
export AWS_SECRET_ACCESS_KEY='${secret}'
aws s3 cp people.csv '${bucket_path}' --region ${region}`,
    },
    {
      name: "PowerShell",
      note: "Needs AWS Tools: Install-Module AWS.Tools.S3",
      text: `Write-S3Object -BucketName '${bucket}' -Key '${prefix}people.csv' -File people.csv \`
  -Region ${region} -AccessKey '${access_key_id}' -SecretKey '${secret}'`,
    },
    {
      name: "Python",
      note: "Needs boto3: pip install boto3",
      text: `import boto3

s3 = boto3.client(
    "s3",
    region_name="${region}",
    aws_access_key_id="${access_key_id}",
    aws_secret_access_key="${secret}",
)
s3.upload_file("people.csv", "${bucket}", "${prefix}people.csv")`,
    },
    {
      name: "WinSCP",
      note: "New Site, with these settings. The last two are under Advanced: Environment > Directories, and Environment > S3.",
      settings: [
        { name: "File protocol", value: "Amazon S3" },
        { name: "Host name", value: `s3.${region}.amazonaws.com` },
        { name: "Port number", value: "443" },
        ...key,
        { name: "Remote directory", value: `/${bucket}/${prefix}` },
        { name: "Default region", value: region },
      ],
    },
    {
      name: "Cyberduck",
      note: "Bookmark > New Bookmark, with these settings. Path is under More Options.",
      settings: [
        { name: "Protocol", value: "Amazon S3" },
        // The bucket before the host, without a region: as Cyberduck's manual wants it of whoever may list one bucket only.
        { name: "Server", value: `${bucket}.s3.amazonaws.com` },
        { name: "Port", value: "443" },
        ...key,
        { name: "Path", value: `/${prefix}` },
      ],
    },
  ];
}

/** Where files are put that are checked and change nobody. */
export const rehearsals = ({ bucket_path }: Credentials) => `${bucket_path}rehearsal/`;

/** Everything that somebody else needs to send files. */
export function handOver(pair: Credentials): string {
  return `Go1 user data feed: files are put into an Amazon S3 bucket.

Bucket path:        ${pair.bucket_path}
Region:             ${pair.region}
Access key ID:      ${pair.access_key_id}
Secret access key:  ${pair.secret_access_key ?? HIDDEN}

The key may put files there and list them, and nothing else.
A file is CSV (UTF-8, commas), and its name ends in .csv.
To try a file without changing anybody, put it into
${rehearsals(pair)}
`;
}
