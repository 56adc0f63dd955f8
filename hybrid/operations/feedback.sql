-- Answers that were given, and what people said of them.
CREATE TABLE answers(
    id TEXT PRIMARY KEY, time REAL NOT NULL, domain TEXT NOT NULL, experiment TEXT NOT NULL,
    kept TEXT NOT NULL);
CREATE INDEX answers_time ON answers(time);
CREATE INDEX answers_experiment ON answers(experiment, time);
CREATE TABLE votes(
    answer TEXT NOT NULL REFERENCES answers(id) ON DELETE CASCADE, voter TEXT NOT NULL,
    value INTEGER NOT NULL, comment TEXT NOT NULL, time REAL NOT NULL, PRIMARY KEY (answer, voter));
CREATE TABLE preferences(
    chosen TEXT NOT NULL REFERENCES answers(id) ON DELETE CASCADE,
    rejected TEXT NOT NULL REFERENCES answers(id) ON DELETE CASCADE,
    chosen_place INTEGER NOT NULL, rejected_place INTEGER NOT NULL,
    voter TEXT NOT NULL, time REAL NOT NULL, PRIMARY KEY (chosen, rejected, voter));
CREATE TABLE reviews(
    answer TEXT PRIMARY KEY REFERENCES answers(id) ON DELETE CASCADE, outcome TEXT NOT NULL,
    time REAL NOT NULL);
