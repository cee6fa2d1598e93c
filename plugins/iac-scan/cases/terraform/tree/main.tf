resource "aws_security_group" "web" {
  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_db_instance" "shop" {
  publicly_accessible = true
  storage_encrypted   = false
  password            = "example"
}

data "aws_iam_policy_document" "all" {
  statement {
    actions   = ["*"]
    resources = ["*"]
  }
}

resource "google_storage_bucket_iam_member" "public" {
  role   = "roles/storage.objectViewer"
  member = "allUsers"
}

resource "azurerm_storage_container" "public" {
  container_access_type = "blob"
}
