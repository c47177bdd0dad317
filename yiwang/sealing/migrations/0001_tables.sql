-- Sealed objects with their keys, and the proofs of those whose key was destroyed (GW-073, PIPL 47).

-- Which chain of proofs this is (kept through dumps and restores, whatever the database is called then), and up to which number the
-- bucket of evidence has them. Whoever destroys a key holds this row.
create table sealing.chain (
    one boolean primary key default true check (one),
    name text not null check (name ~ '^[A-Za-z0-9_.-]{1,63}$'),
    published bigint not null default 0
);
insert into sealing.chain (name) values (current_database());

create table sealing.proofs (
    number bigint primary key check (number > 0),
    hash bytea not null unique check (octet_length(hash) = 32),
    document bytea not null check (sha256(document) = hash),
    recorded_at timestamptz not null default now()
);

create table sealing.objects (
    id bigint generated always as identity primary key,
    bucket text not null,
    object text not null unique,
    version text not null,
    name text,
    name_digest bytea not null check (octet_length(name_digest) = 32),
    purpose text not null,
    subject text not null,
    metadata jsonb,
    size bigint not null check (size > 0),
    sha256 bytea not null check (octet_length(sha256) = 32),
    wrapped_key bytea,
    kek text,
    created_at timestamptz not null default now(),
    erase_after timestamptz,
    asked_at timestamptz,
    asked_by text,
    asked_reason text,
    erased_at timestamptz,
    proof bigint references sealing.proofs,
    -- Either a key, or erased with a proof and with nothing of the caller's left.
    constraint key_or_erased check (
        case when erased_at is null
            then wrapped_key is not null and kek is not null and name is not null and metadata is not null and proof is null
            else wrapped_key is null and kek is null and name is null and metadata is null and proof is not null
        end
    ),
    constraint asked_whole check (num_nulls(asked_at, asked_by, asked_reason) in (0, 3))
);
create index objects_name on sealing.objects (bucket, name_digest);
create index objects_subject on sealing.objects (subject);
create index objects_purpose on sealing.objects (purpose);
create index objects_due on sealing.objects (erase_after) where erased_at is null;
create index objects_asked on sealing.objects (id) where asked_at is not null and erased_at is null;
create index objects_kek on sealing.objects (kek) where kek is not null;

create function sealing.refuse() returns trigger language plpgsql as $$
begin
    raise exception '%.% takes no %', tg_table_schema, tg_table_name, lower(tg_op) using errcode = 'integrity_constraint_violation';
end $$;

create trigger append_only before update or delete or truncate on sealing.proofs
    for each statement execute function sealing.refuse();
-- Without its row an object could not be erased with proof, nor its erasure be found.
create trigger kept before delete or truncate on sealing.objects
    for each statement execute function sealing.refuse();

create function sealing.next_proof() returns trigger language plpgsql as $$
begin
    if new.number <> (select coalesce(max(number), 0) + 1 from sealing.proofs) then
        raise exception 'proof % is not the next one', new.number using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
create trigger next_proof before insert on sealing.proofs for each row execute function sealing.next_proof();

-- What an object is never changes; a key that was destroyed never comes back.
create function sealing.guard() returns trigger language plpgsql as $$
begin
    if old.erased_at is not null
        or (new.id, new.bucket, new.object, new.version, new.name_digest, new.purpose, new.subject, new.size, new.sha256, new.created_at)
            is distinct from
            (old.id, old.bucket, old.object, old.version, old.name_digest, old.purpose, old.subject, old.size, old.sha256, old.created_at)
        or (old.asked_at is not null and new.asked_at is distinct from old.asked_at)
    then
        raise exception 'the record of % is as it is', old.object using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
create trigger guard before update on sealing.objects for each row execute function sealing.guard();
