"""What alembic runs: the migrations, on the connection and in the transaction of the caller."""

from alembic import context

from services.ledger import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.METADATA,
    transactional_ddl=True,
)
context.run_migrations()
