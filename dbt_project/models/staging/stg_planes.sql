with

source as (

    select * from {{ source('raw', 'planes') }}

),

renamed as (

    select

        ----------  ids
        tailnum as tail_number,

        ---------- text
        type as plane_type,
        manufacturer,
        model as plane_model,
        engine as engine_type,

        ---------- numerics
        year as year_built,
        engines as count_engines,
        seats as count_seats,

        ---------- timestamps, with time zone
        _loaded_at as loaded_at

    from source

)

select * from renamed
