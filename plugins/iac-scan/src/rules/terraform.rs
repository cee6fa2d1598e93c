//! Rules for Terraform and OpenTofu. What a missing attribute means is taken from the documentation of the providers.

use crate::node::{Kind, Node};
use crate::read::hcl::Block;
use crate::read::secret::{is_literal, is_secret_name};
use crate::read::yaml;
use crate::rule::{Hits, Rule, rule};
use crate::rules::cwe;
use orch_sdk::Severity::{Critical, High, Low, Medium};
use std::borrow::Cow;

type File = Vec<Block>;

/// The resources of some kinds.
fn resources<'a>(file: &'a File, kinds: &'a [&'a str]) -> impl Iterator<Item = &'a Block> {
    file.iter().filter(move |block| block.ident == "resource" && kinds.contains(&block.label(0)))
}

/// As the language refers to it.
fn name(block: &Block) -> String {
    match block.ident.as_str() {
        "resource" => format!("{}.{}", block.label(0), block.label(1)),
        ident => std::iter::once(ident).chain(block.labels.iter().map(String::as_str)).collect::<Vec<_>>().join("."),
    }
}

/// Whether an attribute does not say yes, where no is what its absence means. What is computed may say yes.
fn lacks_true(block: &Block, attribute: &str) -> bool {
    !block.get(attribute).is_some_and(|it| it.is_true() || it.is_computed())
}

/// The line of an attribute, or of its block if it is missing.
fn line_of(block: &Block, attribute: &str) -> u32 {
    block.get(attribute).map_or(block.line, |it| it.line)
}

fn text<'a>(block: &'a Block, attribute: &str) -> &'a str {
    block.get(attribute).and_then(Node::text).unwrap_or_default()
}

/// Resources where an attribute has to say yes.
fn must_be_true(file: &File, hits: &mut Hits, kinds: &[&str], attribute: &str) {
    for block in resources(file, kinds).filter(|block| lacks_true(block, attribute)) {
        hits.add(line_of(block, attribute), name(block));
    }
}

/// Resources where an attribute has one of some values.
fn must_not_be(file: &File, hits: &mut Hits, kinds: &[&str], attribute: &str, values: &[&str]) {
    for block in resources(file, kinds).filter(|block| values.contains(&text(block, attribute))) {
        hits.add(line_of(block, attribute), name(block));
    }
}

fn is_everywhere(text: &str) -> bool {
    matches!(text, "0.0.0.0/0" | "::/0" | "*" | "0.0.0.0" | "Internet" | "internet" | "any" | "Any")
}

fn any_everywhere(node: Option<&Node>) -> bool {
    node.is_some_and(|node| node.one_or_more().iter().any(|it| it.text().is_some_and(is_everywhere)))
}

/// Whether a range of ports holds one by which machines are administered: SSH or Remote Desktop.
fn holds_admin_port(from: &str, to: &str) -> bool {
    let (Ok(from), Ok(to)) = (from.trim().parse::<i64>(), to.trim().parse::<i64>()) else { return false };
    [22, 3389].iter().any(|port| (from..=to).contains(port))
}

/// The same for `22`, `20-30` and `*`.
fn range_holds_admin_port(range: &str) -> bool {
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    range == "*" || holds_admin_port(from, to)
}

const S3: &str = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html";
const IAM: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html";
const IMDS: &str = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html";
const TRAIL: &str =
    "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-intro.html";
const KMS: &str = "https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html";
const GCP_IAM: &str = "https://cloud.google.com/iam/docs/using-iam-securely";
const BLOB: &str = "https://learn.microsoft.com/azure/storage/blobs/anonymous-read-access-prevent";
const STATE: &str = "https://developer.hashicorp.com/terraform/language/state/sensitive-data";
const MODULES: &str = "https://developer.hashicorp.com/terraform/language/modules/sources";

/// The table.
pub static RULES: &[Rule<File>] = &[
    rule(
        ("terraform/aws-s3-public-acl", High),
        "a bucket's list of access is public",
        "Everybody can list the bucket or read what is in it.",
        "Use `private`; let a policy or a distribution give access.",
        &[cwe!(732), S3],
        |file, hits| {
            let public = ["public-read", "public-read-write", "authenticated-read"];
            must_not_be(file, hits, &["aws_s3_bucket", "aws_s3_bucket_acl"], "acl", &public);
        },
    ),
    rule(
        ("terraform/aws-s3-public-access-block", Medium),
        "a block of public access leaves something open",
        "One later list or policy is enough to make the bucket public.",
        "Set all four of its attributes to true.",
        &[cwe!(732), S3],
        |file, hits| {
            for block in resources(file, &["aws_s3_bucket_public_access_block", "aws_s3_account_public_access_block"]) {
                let all = ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"];
                for attribute in all.iter().filter(|attribute| lacks_true(block, attribute)) {
                    hits.add(line_of(block, attribute), format!("{} {attribute}", name(block)));
                }
            }
        },
    ),
    rule(
        ("terraform/aws-volume-unencrypted", Medium),
        "a volume or file system is not encrypted",
        "Whoever gets a copy or a snapshot of it can read it.",
        "Set `encrypted = true`.",
        &[cwe!(311)],
        |file, hits| {
            must_be_true(file, hits, &["aws_ebs_volume", "aws_efs_file_system"], "encrypted");
            for block in resources(file, &["aws_instance"]) {
                let disks =
                    block.blocks.iter().filter(|it| it.ident == "root_block_device" || it.ident == "ebs_block_device");
                for disk in disks.filter(|disk| lacks_true(disk, "encrypted")) {
                    hits.add(line_of(disk, "encrypted"), format!("{} {}", name(block), disk.ident));
                }
            }
        },
    ),
    rule(
        ("terraform/aws-database-unencrypted", Medium),
        "a database is not encrypted",
        "Whoever gets a copy or a snapshot of it can read it.",
        "Set `storage_encrypted = true`; for a cache `at_rest_encryption_enabled` and `transit_encryption_enabled`.",
        &[cwe!(311)],
        |file, hits| {
            // A copy is as encrypted as what it copies.
            let kinds = ["aws_db_instance", "aws_rds_cluster", "aws_docdb_cluster", "aws_neptune_cluster"];
            let own = resources(file, &kinds).filter(|it| it.get("replicate_source_db").is_none());
            for block in own.filter(|block| lacks_true(block, "storage_encrypted")) {
                hits.add(line_of(block, "storage_encrypted"), name(block));
            }
            for attribute in ["at_rest_encryption_enabled", "transit_encryption_enabled"] {
                must_be_true(file, hits, &["aws_elasticache_replication_group"], attribute);
            }
        },
    ),
    rule(
        ("terraform/aws-database-public", High),
        "a database has a public address",
        "Only its password and a security group stand between it and the Internet.",
        "Set `publicly_accessible = false`.",
        &[cwe!(668)],
        |file, hits| {
            let kinds =
                ["aws_db_instance", "aws_rds_cluster_instance", "aws_redshift_cluster", "aws_dms_replication_instance"];
            must_not_be(file, hits, &kinds, "publicly_accessible", &["true"]);
        },
    ),
    rule(
        ("terraform/aws-security-group-open", High),
        "every address may reach SSH, Remote Desktop or all ports",
        "Machines on the Internet are tried for weak logins all the time.",
        "Name the addresses, or use a session manager without open ports.",
        &[cwe!(668), "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html"],
        aws_security_groups,
    ),
    rule(
        ("terraform/aws-iam-wildcard", High),
        "a policy allows every action on every resource",
        "Whoever has it has the account.",
        "Name actions and resources.",
        &[cwe!(250), IAM],
        |file, hits| {
            each_statement(file, hits, |statement| {
                let everything = |keys: [&str; 2]| keys.iter().any(|key| holds(statement.get(key), &["*", "*:*"]));
                everything(["Action", "actions"]) && everything(["Resource", "resources"])
            });
        },
    ),
    rule(
        ("terraform/aws-policy-public", High),
        "a policy allows something to everybody",
        "Any account, or nobody in particular, can use the resource.",
        "Name the principal, or add a condition.",
        &[cwe!(732), IAM],
        |file, hits| {
            each_statement(file, hits, |statement| {
                let principal = statement.get("Principal");
                let anybody = holds(principal, &["*"]) || holds(principal.and_then(|it| it.get("AWS")), &["*"]);
                anybody && statement.get("Condition").is_none()
            });
        },
    ),
    rule(
        ("terraform/aws-kms-rotation", Low),
        "a key is not rotated",
        "What was encrypted with one key for years is lost with it.",
        "Set `enable_key_rotation = true`.",
        &[cwe!(324), KMS],
        |file, hits| {
            for block in resources(file, &["aws_kms_key"]).filter(|it| lacks_true(it, "enable_key_rotation")) {
                // Only symmetric keys for encryption can be rotated.
                let spec = text(block, "customer_master_key_spec");
                if matches!(text(block, "key_usage"), "" | "ENCRYPT_DECRYPT")
                    && matches!(spec, "" | "SYMMETRIC_DEFAULT")
                {
                    hits.add(line_of(block, "enable_key_rotation"), name(block));
                }
            }
        },
    ),
    rule(
        ("terraform/aws-cloudtrail-validation", Medium),
        "the log of the account is not protected against changes",
        "Whoever gets in can remove the traces.",
        "Set `enable_log_file_validation = true`.",
        &[cwe!(778), TRAIL],
        |file, hits| must_be_true(file, hits, &["aws_cloudtrail"], "enable_log_file_validation"),
    ),
    rule(
        ("terraform/aws-imds-v1", Medium),
        "an instance answers version 1 of the metadata service",
        "A server that can be made to fetch an address gives away the instance's credentials.",
        "Set `metadata_options { http_tokens = \"required\" }`.",
        &[cwe!(918), IMDS],
        |file, hits| {
            for block in resources(file, &["aws_instance", "aws_launch_template", "aws_launch_configuration"]) {
                let options = block.all("metadata_options").next();
                let is_safe = options.is_some_and(|options| {
                    options.get("http_tokens").is_some_and(|it| it.text() == Some("required") || it.is_computed())
                        || text(options, "http_endpoint") == "disabled"
                });
                if !is_safe {
                    hits.add(options.map_or(block.line, |options| line_of(options, "http_tokens")), name(block));
                }
            }
        },
    ),
    rule(
        ("terraform/aws-load-balancer-http", Medium),
        "a load balancer serves without TLS",
        "Passwords and cookies cross the network readably.",
        "Use HTTPS; let the listener for HTTP redirect to it.",
        &[cwe!(319)],
        |file, hits| {
            for block in
                resources(file, &["aws_lb_listener", "aws_alb_listener"]).filter(|it| text(it, "protocol") == "HTTP")
            {
                if !block.all("default_action").any(|action| text(action, "type") == "redirect") {
                    hits.add(line_of(block, "protocol"), name(block));
                }
            }
        },
    ),
    rule(
        ("terraform/aws-ecr-mutable", Low),
        "tags of a registry can be moved",
        "What was tested under a tag need not be what runs.",
        "Set `image_tag_mutability = \"IMMUTABLE\"`.",
        &[cwe!(353)],
        |file, hits| {
            for block in resources(file, &["aws_ecr_repository"]) {
                if block.get("image_tag_mutability").is_none_or(|it| it.text() == Some("MUTABLE")) {
                    hits.add(line_of(block, "image_tag_mutability"), name(block));
                }
            }
        },
    ),
    rule(
        ("terraform/aws-eks-public", Medium),
        "the API of a cluster is open to every address",
        "A stolen token can be used from anywhere.",
        "Set `endpoint_public_access = false`, or name `public_access_cidrs`.",
        &[cwe!(668), "https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html"],
        |file, hits| {
            for block in resources(file, &["aws_eks_cluster"]) {
                for config in block.all("vpc_config") {
                    let endpoint = config.get("endpoint_public_access");
                    let ranges = config.get("public_access_cidrs");
                    let is_open = !endpoint.is_some_and(|it| it.is_false() || it.is_computed());
                    if is_open && (ranges.is_none() || any_everywhere(ranges)) {
                        hits.add(line_of(config, "public_access_cidrs"), name(block));
                    }
                }
            }
        },
    ),
    rule(
        ("terraform/gcp-firewall-open", High),
        "every address may reach SSH, Remote Desktop or all ports",
        "Machines on the Internet are tried for weak logins all the time.",
        "Name the addresses, or use the identity-aware proxy.",
        &[cwe!(668), "https://cloud.google.com/firewall/docs/firewalls"],
        |file, hits| {
            for block in resources(file, &["google_compute_firewall"]) {
                let opens = block.all("allow").any(|allow| {
                    let ports = allow.get("ports");
                    let is_fit = matches!(text(allow, "protocol"), "tcp" | "all" | "6");
                    is_fit
                        && ports
                            .is_none_or(|ports| ports.items().iter().filter_map(Node::text).any(range_holds_admin_port))
                });
                if opens && text(block, "direction") != "EGRESS" && any_everywhere(block.get("source_ranges")) {
                    hits.add(line_of(block, "source_ranges"), name(block));
                }
            }
        },
    ),
    rule(
        ("terraform/gcp-iam-public", Critical),
        "a role is given to everybody",
        "`allUsers` needs no login at all, `allAuthenticatedUsers` any account of anybody.",
        "Name users, groups or service accounts.",
        &[cwe!(732), GCP_IAM],
        |file, hits| {
            for block in google_iam(file) {
                let members = ["member", "members"].iter().filter_map(|it| block.get(it)).flat_map(Node::one_or_more);
                let public = members.filter(|it| matches!(it.text(), Some("allUsers" | "allAuthenticatedUsers")));
                public.for_each(|it| hits.add(it.line, name(block)));
            }
        },
    ),
    rule(
        ("terraform/gcp-basic-role", Medium),
        "a basic role is given",
        "Owner and editor allow nearly everything in a project.",
        "Give a predefined role, or one of your own.",
        &[cwe!(250), GCP_IAM],
        |file, hits| {
            for block in google_iam(file).filter(|it| matches!(text(it, "role"), "roles/owner" | "roles/editor")) {
                hits.add(line_of(block, "role"), name(block));
            }
        },
    ),
    rule(
        ("terraform/gcp-sql-public", High),
        "a database accepts every address",
        "Only its password stands between it and the Internet.",
        "Use a private address, or name the networks.",
        &[cwe!(668), "https://cloud.google.com/sql/docs/mysql/authorize-networks"],
        |file, hits| {
            for block in resources(file, &["google_sql_database_instance"]) {
                let settings = block.all("settings").flat_map(|it| it.all("ip_configuration"));
                for network in settings.flat_map(|it| it.all("authorized_networks")) {
                    if any_everywhere(network.get("value")) {
                        hits.add(line_of(network, "value"), name(block));
                    }
                }
            }
        },
    ),
    rule(
        ("terraform/gcp-bucket-acl", Low),
        "single objects of a bucket may have their own access",
        "Nobody can tell from the bucket's policy who can read what.",
        "Set `uniform_bucket_level_access = true`.",
        &[cwe!(732), "https://cloud.google.com/storage/docs/uniform-bucket-level-access"],
        |file, hits| must_be_true(file, hits, &["google_storage_bucket"], "uniform_bucket_level_access"),
    ),
    rule(
        ("terraform/azure-storage-http", Medium),
        "a storage account allows HTTP or old TLS",
        "What crosses the network can be read or changed.",
        "Remove `https_traffic_only_enabled = false`, and set `min_tls_version = \"TLS1_2\"`.",
        &[cwe!(319), "https://learn.microsoft.com/azure/storage/common/storage-require-secure-transfer"],
        |file, hits| {
            let kinds = ["azurerm_storage_account"];
            must_not_be(file, hits, &kinds, "https_traffic_only_enabled", &["false"]);
            must_not_be(file, hits, &kinds, "enable_https_traffic_only", &["false"]);
            must_not_be(file, hits, &kinds, "min_tls_version", &["TLS1_0", "TLS1_1"]);
        },
    ),
    rule(
        ("terraform/azure-blob-public", High),
        "blobs may be read without a login",
        "Everybody who knows or guesses a name can read it.",
        "Set `allow_nested_items_to_be_public = false` and `container_access_type = \"private\"`.",
        &[cwe!(732), BLOB],
        |file, hits| {
            must_not_be(file, hits, &["azurerm_storage_container"], "container_access_type", &["blob", "container"]);
            for block in resources(file, &["azurerm_storage_account"]) {
                let allowed = ["allow_nested_items_to_be_public", "allow_blob_public_access"].map(|it| block.get(it));
                // The provider allows it where nothing is said.
                if allowed.iter().all(Option::is_none) || allowed.iter().flatten().any(|it| it.is_true()) {
                    let line = allowed.iter().flatten().next().map_or(block.line, |it| it.line);
                    hits.add(line, name(block));
                }
            }
        },
    ),
    rule(
        ("terraform/azure-network-open", High),
        "every address may reach SSH, Remote Desktop or all ports",
        "Machines on the Internet are tried for weak logins all the time.",
        "Name the addresses, or use a bastion.",
        &[cwe!(668), "https://learn.microsoft.com/azure/security/fundamentals/network-best-practices"],
        |file, hits| {
            let rules = resources(file, &["azurerm_network_security_rule"]);
            let inner =
                resources(file, &["azurerm_network_security_group"]).flat_map(|group| group.all("security_rule"));
            for block in rules.chain(inner) {
                let allows = text(block, "direction") == "Inbound" && text(block, "access") == "Allow";
                let anybody = any_everywhere(block.get("source_address_prefix"))
                    || any_everywhere(block.get("source_address_prefixes"));
                let ports = ["destination_port_range", "destination_port_ranges"].iter().filter_map(|it| block.get(it));
                let mut ports = ports.flat_map(Node::one_or_more).filter_map(Node::text);
                if allows && anybody && text(block, "protocol") != "Udp" && ports.any(range_holds_admin_port) {
                    let own = text(block, "name");
                    hits.add(block.line, if block.ident == "resource" { name(block) } else { own.to_owned() });
                }
            }
        },
    ),
    rule(
        ("terraform/azure-database-open", High),
        "a database accepts every address",
        "Only its password stands between it and the Internet.",
        "Use a private endpoint, or name the addresses.",
        &[cwe!(668), "https://learn.microsoft.com/azure/azure-sql/database/firewall-configure"],
        |file, hits| {
            for block in file.iter().filter(|it| it.ident == "resource") {
                let kind = block.label(0);
                let is_firewall = kind.starts_with("azurerm_") && kind.ends_with("_firewall_rule");
                if is_firewall
                    && text(block, "start_ip_address") == "0.0.0.0"
                    && text(block, "end_ip_address") == "255.255.255.255"
                {
                    hits.add(line_of(block, "start_ip_address"), name(block));
                }
            }
        },
    ),
    rule(
        ("terraform/azure-vm-password", Medium),
        "a machine lets people log in with a password",
        "Passwords can be guessed; keys cannot.",
        "Remove `disable_password_authentication = false` and give `admin_ssh_key`.",
        &[cwe!(309)],
        |file, hits| {
            let kinds = ["azurerm_linux_virtual_machine", "azurerm_linux_virtual_machine_scale_set"];
            must_not_be(file, hits, &kinds, "disable_password_authentication", &["false"]);
        },
    ),
    rule(
        ("terraform/azure-key-vault-purge", Low),
        "a key vault can be removed for good",
        "Whoever gets in, or a mistake, takes every key with it at once.",
        "Set `purge_protection_enabled = true`.",
        &[cwe!(404), "https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview"],
        |file, hits| must_be_true(file, hits, &["azurerm_key_vault"], "purge_protection_enabled"),
    ),
    rule(
        ("terraform/secret-in-default", High),
        "a variable's default is a secret",
        "It stands in the repository, and is used wherever nobody sets another.",
        "Remove the default, and mark the variable `sensitive`.",
        &[cwe!(798), STATE],
        |file, hits| {
            for block in file.iter().filter(|it| it.ident == "variable" && is_secret_name(it.label(0))) {
                if let Some(default) = block.get("default").filter(|it| it.text().is_some_and(is_literal)) {
                    hits.add(default.line, name(block));
                }
            }
        },
    ),
    rule(
        ("terraform/secret-in-attribute", High),
        "a secret is written out",
        "It stands in the repository and in the state.",
        "Take it from a variable without a default, or from a store.",
        &[cwe!(798), STATE],
        |file, hits| file.iter().for_each(|block| secrets_in(block, &name(block), hits)),
    ),
    rule(
        ("terraform/output-not-sensitive", Low),
        "an output shows a secret",
        "It is printed after each run, into the log of whatever runs it.",
        "Set `sensitive = true`.",
        &[cwe!(532), STATE],
        |file, hits| {
            for block in file.iter().filter(|it| it.ident == "output" && is_secret_name(it.label(0))) {
                if lacks_true(block, "sensitive") {
                    hits.add(block.line, name(block));
                }
            }
        },
    ),
    rule(
        ("terraform/module-unpinned", Medium),
        "a module comes from a place that can change",
        "What is applied tomorrow need not be what was looked at today.",
        "Add `?ref=` with a commit or a tag to the address, or `version` for a registry.",
        &[cwe!(1357), MODULES],
        |file, hits| {
            for block in file.iter().filter(|it| it.ident == "module") {
                let source = text(block, "source");
                if is_unpinned(source, block.get("version").is_some()) {
                    hits.add(line_of(block, "source"), format!("{} {source}", name(block)));
                }
            }
        },
    ),
    rule(
        ("terraform/provider-unpinned", Low),
        "a provider has no version",
        "Without a lock file the newest one is taken.",
        "Add `version = \"~> …\"`.",
        &[cwe!(1357), "https://developer.hashicorp.com/terraform/language/providers/requirements"],
        |file, hits| {
            let terraform = file.iter().filter(|it| it.ident == "terraform");
            for block in terraform.flat_map(|it| it.all("required_providers")) {
                for (key, value) in block.attributes.entries() {
                    if matches!(value.kind, Kind::Map(_)) && value.get("version").is_none() {
                        hits.add(key.line, &key.text);
                    }
                }
            }
        },
    ),
    rule(
        ("terraform/state-unencrypted", Medium),
        "the state is kept unencrypted",
        "It holds every password that the configuration made or got.",
        "Set `encrypt = true`.",
        &[cwe!(311), STATE],
        |file, hits| {
            let terraform = file.iter().filter(|it| it.ident == "terraform");
            for backend in terraform.flat_map(|it| it.all("backend")).filter(|it| it.label(0) == "s3") {
                if lacks_true(backend, "encrypt") {
                    hits.add(line_of(backend, "encrypt"), name(backend));
                }
            }
        },
    ),
];

/// A rule that lets something in, with the line and name under which it is told.
fn aws_security_groups(file: &File, hits: &mut Hits) {
    let mut check = |rule: &Node, line: u32, name: String| {
        let ranges = ["cidr_blocks", "ipv6_cidr_blocks", "cidr_ipv4", "cidr_ipv6"];
        let is_all = ["protocol", "ip_protocol"].iter().any(|key| matches!(rule.text_at(key), "-1" | "all"));
        let ports = holds_admin_port(rule.text_at("from_port"), rule.text_at("to_port"));
        if ranges.iter().any(|key| any_everywhere(rule.get(key))) && (is_all || ports) {
            hits.add(line, name);
        }
    };
    for block in resources(file, &["aws_security_group", "aws_default_security_group"]) {
        block.all("ingress").for_each(|ingress| check(&ingress.attributes, ingress.line, name(block)));
        let listed = block.get("ingress").map_or(&[][..], Node::items);
        listed.iter().for_each(|rule| check(rule, rule.line, name(block)));
    }
    let single = resources(file, &["aws_security_group_rule"]).filter(|it| text(it, "type") == "ingress");
    for block in single.chain(resources(file, &["aws_vpc_security_group_ingress_rule"])) {
        check(&block.attributes, block.line, name(block));
    }
}

/// Statements that allow something, of policies in any of three forms: `jsonencode`, a text of JSON, and a policy document.
fn each_statement(file: &File, hits: &mut Hits, is_bad: impl Fn(&Node) -> bool) {
    let allows = |statement: &Node| !["Effect", "effect"].iter().any(|key| statement.text_at(key) == "Deny");
    for block in file.iter().filter(|it| it.ident == "resource" && it.label(0).starts_with("aws_")) {
        for policy in
            ["policy", "assume_role_policy", "key_policy", "inline_policy"].iter().filter_map(|it| block.get(it))
        {
            let policy = match policy.text() {
                // JSON is YAML. Its lines count from the text's first, so all of it is told at the attribute.
                Some(text) => match yaml::read(text).ok().and_then(|documents| documents.into_iter().next()) {
                    Some(document) => Cow::Owned(document),
                    None => continue,
                },
                None => Cow::Borrowed(policy),
            };
            for statement in policy.get("Statement").map_or(&[][..], Node::one_or_more) {
                if allows(statement) && is_bad(statement) {
                    let line =
                        if matches!(policy, Cow::Borrowed(_)) { statement.line } else { line_of(block, "policy") };
                    hits.add(line, name(block));
                }
            }
        }
    }
    for document in file.iter().filter(|it| it.ident == "data" && it.label(0) == "aws_iam_policy_document") {
        for statement in document.all("statement").filter(|it| allows(&it.attributes) && is_bad(&it.attributes)) {
            hits.add(statement.line, name(document));
        }
    }
}

fn holds(node: Option<&Node>, words: &[&str]) -> bool {
    node.is_some_and(|node| node.one_or_more().iter().any(|it| it.text().is_some_and(|text| words.contains(&text))))
}

fn google_iam(file: &File) -> impl Iterator<Item = &Block> {
    file.iter().filter(|block| {
        let kind = block.label(0);
        block.ident == "resource"
            && kind.starts_with("google_")
            && ["_iam_member", "_iam_binding"].iter().any(|ending| kind.ends_with(ending))
    })
}

fn secrets_in(block: &Block, name: &str, hits: &mut Hits) {
    if !matches!(block.ident.as_str(), "variable" | "output") {
        secrets_below(&block.attributes, name, hits);
        block.blocks.iter().for_each(|inner| secrets_in(inner, name, hits));
    }
}

fn secrets_below(node: &Node, name: &str, hits: &mut Hits) {
    for (key, value) in node.entries() {
        if is_secret_name(&key.text) && value.text().is_some_and(is_literal) {
            hits.add(key.line, format!("{name} {}", key.text));
        }
        secrets_below(value, name, hits);
    }
    node.items().iter().for_each(|item| secrets_below(item, name, hits));
}

/// Whether what an address leads to can change.
fn is_unpinned(source: &str, has_version: bool) -> bool {
    if source.is_empty() || source.starts_with("./") || source.starts_with("../") {
        return false;
    }
    let (address, query) = source.split_once('?').unwrap_or((source, ""));
    if let Some(reference) = query.split('&').find_map(|pair| pair.strip_prefix("ref=")) {
        return matches!(reference, "" | "main" | "master" | "develop" | "HEAD");
    }
    // A registry's address has three or four names, the first of four with a dot in it; a repository's has a host first.
    let parts: Vec<&str> = address.split("//").next().unwrap_or(address).split('/').collect();
    let is_registry = !address.contains("::")
        && !address.contains("://")
        && match parts.len() {
            3 => !parts[0].contains('.') && !parts[0].contains('@'),
            4 => parts[0].contains('.'),
            _ => false,
        };
    let is_archive = query.contains("checksum=") || address.starts_with("s3::") || address.starts_with("gcs::");
    if is_registry { !has_version } else { !is_archive }
}
