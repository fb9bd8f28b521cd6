-- A login is looked for without case where no account has that name: the program that this one succeeds did so.
CREATE INDEX users_name_without_case ON users (lower(name));
