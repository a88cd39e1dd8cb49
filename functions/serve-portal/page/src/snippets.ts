// What to paste where, so that a file gets into the bucket. Each asks for nothing that the key pair may not do: put
// objects under its own prefix, and list it.

import type { Credentials } from "./api";

export interface Snippet {
  name: string;
  text: string;
  note?: string;
}

export function snippets(pair: Credentials): Snippet[] {
  const { bucket, prefix, region, bucket_path, access_key_id } = pair;
  const secret = pair.secret_access_key ?? "<your secret key>";
  return [
    {
      name: "AWS CLI",
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
      note: "New site, with these settings:",
      text: `File protocol:      Amazon S3
Host name:          s3.${region}.amazonaws.com
Port:               443
Access key ID:      ${access_key_id}
Secret access key:  ${secret}
Advanced > Environment > Directories > Remote directory:
                    /${bucket}/${prefix}
Advanced > Environment > S3 > Default region:
                    ${region}`,
    },
    {
      name: "Cyberduck",
      note: "Open connection, with these settings:",
      text: `Protocol:           Amazon S3
Server:             s3.${region}.amazonaws.com
Access key ID:      ${access_key_id}
Secret access key:  ${secret}
More options > Path:
                    /${bucket}/${prefix}`,
    },
  ];
}
